"""The file system: the only caller of link, unlink, mkdir and their kind."""
