"""From a checkpoint to what the device loads: ONNX, INT8 with explicit quantisation, comparison, released bundle."""
