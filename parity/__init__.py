"""Where both networks meet. `pytest parity` is the product."""

import os

# Read once, when a framework is imported. oneDNN's kernels would depend on the CPU. The threads of torch spin while
# they wait for each other; by default so long that beside another busy process they are twice as slow as with this.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ.setdefault("GOMP_SPINCOUNT", "30000")
