"""The factors in force, fitted by `python -m benchmarks days_left` on all London homes; it judges by folds."""

from __future__ import annotations

from typing import Final

from fairwatt.core.insight.ahead.widening import Widening

# One row for each length of history (3, 7, 14, 28, 56 days), one number for each horizon (1 to 60 days), per mille.
CALIBRATED: Final = Widening(
    low=(
        (1166, 1044, 1181, 1273, 1335, 1477, 1549, 1688, 1817, 1987, 2188),
        (866, 904, 948, 995, 1036, 1150, 1257, 1385, 1513, 1697, 1869),
        (938, 931, 961, 929, 944, 1035, 1120, 1251, 1360, 1563, 1733),
        (903, 885, 889, 904, 938, 992, 1065, 1189, 1284, 1516, 1726),
        (785, 779, 787, 810, 842, 945, 1020, 1149, 1261, 1477, 1700),
    ),
    high=(
        (1542, 1580, 1834, 1959, 2022, 2341, 2569, 2898, 3155, 3523, 3915),
        (946, 1062, 1180, 1257, 1340, 1494, 1597, 1847, 2056, 2427, 2813),
        (1061, 1060, 1097, 1058, 1092, 1191, 1276, 1439, 1596, 1853, 2195),
        (983, 986, 962, 1027, 1072, 1099, 1178, 1284, 1389, 1668, 1955),
        (825, 838, 852, 894, 938, 1016, 1079, 1197, 1283, 1506, 1780),
    ),
)
