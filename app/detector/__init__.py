"""The only importer of torch and transformers: detectors, checkpoints, training."""
