"""Where an error begins inside a model: values of the engine and of the reference, tensor by tensor."""

from harness.run.layers.plan import LayerPlan as LayerPlan
from harness.run.layers.search import search_layers as search_layers
