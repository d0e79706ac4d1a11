"""The model package on disk: its manifest, its digests, its model, read without onnxruntime."""
