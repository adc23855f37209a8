"""How fast Zonkey is on this machine: every case in a process of its own, alternatives side by side in one run.

``make bench`` runs all; ``python -m benchmarks step encode`` some. Timings are medians; compare within one run, by
ratios. *Utilisation* is the arithmetic of the matrix products done in a second over that of the best single product,
measured in the same process and precision.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
