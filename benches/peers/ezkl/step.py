"""One SGD step of a two-layer ReLU MLP under the mean squared error, proven with EZKL.

    step.py INPUTS.json DIR RUNS

INPUTS.json has x, target, w1, w2 (rows of numbers) and learning_rate. Everything that EZKL writes goes into a folder of its own in DIR,
which is deleted. It is proven RUNS times. The last line on stdout is JSON: seconds, bytes, the largest distance of the new weights from float64.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import ezkl
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Fractional bits of what enters. With 12 the circuit has as many rows; with 11 the new weights are too far from float64.
SCALE = int(os.environ.get("PEERS_EZKL_SCALE", "13"))
TOLERANCE = 2.0**-11


def graph(step):
    """The step as a graph of forward operations: EZKL has no training, so the gradients are written by hand."""
    eta = np.array([2 * step["learning_rate"] / np.array(step["target"]).size], dtype=np.float32)
    zero = np.array([0], dtype=np.float32)
    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "w1"], ["z"]),
        node("Relu", ["z"], ["h"]),
        node("MatMul", ["h", "w2"], ["y"]),
        node("Sub", ["y", "target"], ["error"]),
        node("Transpose", ["h"], ["h_t"], perm=[1, 0]),
        node("MatMul", ["h_t", "error"], ["g2"]),
        node("Mul", ["g2", "eta"], ["s2"]),
        node("Sub", ["w2", "s2"], ["new_w2"]),
        node("Transpose", ["w2"], ["w2_t"], perm=[1, 0]),
        node("MatMul", ["error", "w2_t"], ["dh"]),
        node("Greater", ["z", "zero"], ["is_positive"]),
        node("Cast", ["is_positive"], ["positive"], to=TensorProto.FLOAT),
        node("Mul", ["dh", "positive"], ["dz"]),
        node("Transpose", ["x"], ["x_t"], perm=[1, 0]),
        node("MatMul", ["x_t", "dz"], ["g1"]),
        node("Mul", ["g1", "eta"], ["s1"]),
        node("Sub", ["w1", "s1"], ["new_w1"]),
    ]
    value = lambda name, like: helper.make_tensor_value_info(name, TensorProto.FLOAT, np.array(step[like]).shape)
    made = helper.make_graph(
        nodes,
        "step",
        [value(name, name) for name in ("x", "w1", "w2", "target")],
        [value("new_w1", "w1"), value("new_w2", "w2")],
        [numpy_helper.from_array(eta, "eta"), numpy_helper.from_array(zero, "zero")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def in_float64(step):
    """W1' and W2', element by element in the order of the graph's outputs."""
    x, target, w1, w2 = (np.array(step[name], dtype=np.float64) for name in ("x", "target", "w1", "w2"))
    z = x @ w1
    h = np.maximum(z, 0)
    dy = 2 * (h @ w2 - target) / target.size
    rate = step["learning_rate"]
    return [w1 - rate * x.T @ (dy @ w2.T * (z > 0)), w2 - rate * h.T @ dy]


def timed(what):
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def prove():
    """In a process of its own, so that its memory is that of proving alone."""
    before = processor_time()
    seconds = timed(lambda: ezkl.prove("witness.json", "step.ezkl", "pk.key", "proof.json", "kzg.srs"))
    print(json.dumps({"seconds": seconds, "processor_seconds": processor_time() - before}))


def processor_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(inputs, directory, runs):
    with open(inputs) as file:
        step = json.load(file)
    with tempfile.TemporaryDirectory(dir=directory) as work:
        os.chdir(work)
        onnx.save(graph(step), "step.onnx")
        data = [np.array(step[name]).flatten().tolist() for name in ("x", "w1", "w2", "target")]
        with open("input.json", "w") as file:
            json.dump({"input_data": data}, file)

        arguments = ezkl.PyRunArgs()
        arguments.input_visibility = "private"
        arguments.output_visibility = "public"
        arguments.param_visibility = "fixed"
        arguments.input_scale = SCALE
        arguments.param_scale = SCALE
        assert ezkl.gen_settings("step.onnx", "settings.json", py_run_args=arguments)
        # Sets ranges of lookups and the number of rows for these data; the scale stays what it is.
        assert ezkl.calibrate_settings("input.json", "step.onnx", "settings.json", "resources", scales=[SCALE])
        assert ezkl.compile_circuit("step.onnx", "step.ezkl", "settings.json")
        with open("settings.json") as file:
            settings = json.load(file)
        logrows = settings["run_args"]["logrows"]
        ezkl.gen_srs("kzg.srs", logrows)
        setup = timed(lambda: ezkl.setup("step.ezkl", "vk.key", "pk.key", "kzg.srs"))
        ezkl.gen_witness("input.json", "step.ezkl", "witness.json")

        with open("witness.json") as file:
            outputs = json.load(file)["outputs"]
        scales = settings["model_output_scales"]
        distance = 0.0
        for found, scale, expected in zip(outputs, scales, in_float64(step), strict=True):
            found = np.array([ezkl.felt_to_float(felt, scale) for felt in found])
            distance = max(distance, float(np.abs(found - expected.flatten()).max()))
        print(f"largest distance from float64: 2^{np.log2(distance):.2f}", file=sys.stderr)
        if distance > TOLERANCE:
            sys.exit(f"the new weights are {distance} from float64: the scale is too small")

        proving = []
        for _ in range(runs):
            child = subprocess.run([sys.executable, __file__, "--prove"], stdout=subprocess.PIPE, check=True)
            proving.append(json.loads(child.stdout.splitlines()[-1]))
        # The largest of the processes waited for, which are these. Kibibytes, on Linux.
        peak_memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        verified = []
        verify = timed(lambda: verified.append(ezkl.verify("proof.json", "settings.json", "vk.key", "kzg.srs")))
        assert verified == [True]
        with open("proof.json") as file:
            proof = json.load(file)
        result = {
            "version": ezkl.__version__,
            "rows_log2": logrows,
            "scale": SCALE,
            "setup": setup,
            "proving": proving,
            "verifying": verify,
            "proving_key_bytes": os.path.getsize("pk.key"),
            "verifying_key_bytes": os.path.getsize("vk.key"),
            "proof_bytes": len(proof["hex_proof"]) // 2 - 1,
            "peak_memory": peak_memory,
            "distance": distance,
        }
    print(json.dumps(result))


if __name__ == "__main__":
    if sys.argv[1:] == ["--prove"]:
        prove()
    else:
        main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), int(sys.argv[3]))
