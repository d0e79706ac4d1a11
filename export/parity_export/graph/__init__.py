"""From a torch module to an ONNX graph: torch's exporter, the head, where each constant is from."""
