"""PNASNet-5 in PyTorch, layer by layer the official TF-Slim network."""

from pnasnet_torch.genotype import VARIANTS, Config, Variant, variant
from pnasnet_torch.inference import inference_form
from pnasnet_torch.model import PNASNet, TrainingOutputs, pnasnet_large, pnasnet_mobile

__all__ = [
    "VARIANTS",
    "Config",
    "PNASNet",
    "TrainingOutputs",
    "Variant",
    "inference_form",
    "pnasnet_large",
    "pnasnet_mobile",
    "variant",
]
