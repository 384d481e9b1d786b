"""A support vector machine for handwritten digits: trains, prints the share of errors, writes /tmp/model.

With VALIDATION=VALIDATION it evaluates /tmp/model instead. It knows nothing of the network that runs it.
"""

import os
import pickle
import random
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

TABLE = np.loadtxt(Path(__file__).with_name("digits.csv"), delimiter=",", skiprows=1)
PIXELS, DIGITS = TABLE[:, :-1], TABLE[:, -1].astype(int)
HELD_BACK = np.arange(len(TABLE)) % 4 == 0
MODEL = "/tmp/model"

if os.environ.get("VALIDATION") == "VALIDATION":
    with open(MODEL, "rb") as file:
        model = pickle.load(file)
else:
    draw = random.Random(int(os.environ.get("LC_SEED", "0")))
    penalty, width = 10 ** draw.uniform(-1, 2), 10 ** draw.uniform(-4.5, -2.5)
    print(f"training with C={penalty:.3g}, gamma={width:.3g}")
    model = SVC(C=penalty, gamma=width).fit(PIXELS[~HELD_BACK], DIGITS[~HELD_BACK])
    with open(MODEL, "wb") as file:
        pickle.dump(model, file)

wrong = model.predict(PIXELS[HELD_BACK]) != DIGITS[HELD_BACK]
print(float(wrong.mean()))
