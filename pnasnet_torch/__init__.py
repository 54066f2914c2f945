"""PNASNet-5 in PyTorch, layer by layer the official TF-Slim network."""

from pnasnet_torch.errors import WeightsError
from pnasnet_torch.genotype import VARIANTS, Config, Variant, variant
from pnasnet_torch.inference import inference_form
from pnasnet_torch.model import PNASNet, TrainingOutputs, pnasnet_large, pnasnet_mobile
from pnasnet_torch.pretrained import Pretrained, from_pretrained
from pnasnet_torch.source import load_weights, save_weights

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
