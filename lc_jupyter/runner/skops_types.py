"""Which types a skops file may hold beyond those that skops itself trusts, reviewed for scikit-learn."""

from typing import Final

REVIEWED: Final = ((1, 6), (1, 7), (1, 8), (1, 9))
"""The minor versions of scikit-learn whose types below were looked at."""

_KERNELS: Final = (
    "CompoundKernel",
    "ConstantKernel",
    "DotProduct",
    "ExpSineSquared",
    "Exponentiation",
    "Matern",
    "Product",
    "RBF",
    "RationalQuadratic",
    "Sum",
    "WhiteKernel",
)
_METRICS: Final = ("Chebyshev", "Euclidean", "Manhattan", "Minkowski")
_SCORES: Final = ("chi2", "f_classif", "f_regression")

_TYPES: Final = frozenset(
    {
        # Plain holders of numbers.
        "numpy.dtype",
        "numpy.mean",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.sparse._csr.csr_matrix",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.cluster._bisect_k_means._BisectingTree",
        "sklearn.cluster._kmeans._kmeans_single_elkan",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        *(f"sklearn.gaussian_process.kernels.{name}" for name in _KERNELS),
        *(f"sklearn.feature_selection._univariate_selection.{name}" for name in _SCORES),
        # Compiled holders of indices that scikit-learn does not check: a forged file can make a
        # prediction read elsewhere in memory or crash. It cannot name code to run.
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.tree._tree.Tree",
        *(f"sklearn.metrics._dist_metrics.{name}Distance64" for name in _METRICS),
    }
)


def allowed_types(version: str) -> frozenset[str]:
    """Return the types that may be loaded under a version of scikit-learn; none if it is unreviewed."""
    minor = tuple(int(part) for part in version.split(".")[:2])
    return _TYPES if minor in REVIEWED else frozenset()
