from .errors import WeightsError
from .genotype import VARIANTS, Config, Variant, variant
from .inference import inference_form
from .model import PNASNet, TrainingOutputs, pnasnet_large, pnasnet_mobile
from .pretrained import Pretrained, from_pretrained
from .source import load_weights, save_weights

__all__ = [
    "VARIANTS",
    "Config",
    "PNASNet",
    "Pretrained",
    "TrainingOutputs",
    "Variant",
    "WeightsError",
    "from_pretrained",
    "inference_form",
    "load_weights",
    "pnasnet_large",
    "pnasnet_mobile",
    "save_weights",
    "variant",
]
