"""What is learned from verdicts: the only importer of scikit-learn.

Pure functions, numpy in and numpy out; randomness comes from a seed that is passed in. Nothing here knows a file or a
database, and nobody's verdict is changed here.
"""
