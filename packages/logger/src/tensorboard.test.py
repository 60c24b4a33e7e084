"""Prints, as JSON, what TensorBoard's own Python reader (which checks both checksums of every record) finds in a run."""
import json
import sys

import numpy as np
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
from tensorboard.plugins.histogram import summary_v2
from tensorboard.util import tensor_util
from tensorboard.compat.proto import event_pb2

path = sys.argv[1]
accumulator = event_accumulator.EventAccumulator(path, size_guidance={"scalars": 0, "tensors": 0})
accumulator.Reload()
tags = accumulator.Tags()
raw = list(event_file_loader.RawEventFileLoader(path).Load())


def texts(tag):
    events = accumulator.Tensors(tag)
    return [[e.step, tensor_util.make_ndarray(e.tensor_proto).item().decode()] for e in events]


def buckets(tag):
    return [[e.step, tensor_util.make_ndarray(e.tensor_proto).tolist()] for e in accumulator.Tensors(tag)]


def reference(data):
    return tensor_util.make_ndarray(summary_v2.histogram_pb("h", np.array(data)).value[0].tensor).tolist()


plugins = {tag: accumulator.SummaryMetadata(tag).plugin_data.plugin_name for tag in tags["tensors"]}
print(json.dumps({
    "records": len(raw),
    "first": [event_pb2.Event.FromString(raw[0]).file_version, accumulator.GetSourceWriter()],
    "scalars": {tag: [[e.step, repr(e.value), e.wall_time] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]},
    "texts": {tag: texts(tag) for tag, plugin in plugins.items() if plugin == "text"},
    "histograms": {tag: buckets(tag) for tag, plugin in plugins.items() if plugin == "histograms"},
    "reference": [reference(json.loads(data)) for data in sys.argv[2:]],
}))
