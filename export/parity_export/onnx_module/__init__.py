"""An ONNX graph as a torch module: computed node by node, in float32 or in float64."""
