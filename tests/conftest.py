"""What all tests share: figures are drawn without a screen, and no window ever opens.

Set here and not by an environment variable, which the kernels of the notebooks would inherit.
"""

import matplotlib

matplotlib.use("agg")
