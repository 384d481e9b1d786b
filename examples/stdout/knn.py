"""Nearest neighbours for handwritten digits: trains, prints its accuracy, writes /tmp/model.

What it prints is a score, more is better: its jobs are posted with --negate. With VALIDATION=VALIDATION it
evaluates /tmp/model instead. It knows nothing of the network that runs it.
"""

import os
import pickle
import random
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

TABLE = np.loadtxt(Path(__file__).with_name("digits.csv"), delimiter=",", skiprows=1)
PIXELS, DIGITS = TABLE[:, :-1], TABLE[:, -1].astype(int)
HELD_BACK = np.arange(len(TABLE)) % 4 == 0
MODEL = "/tmp/model"

if os.environ.get("VALIDATION") == "VALIDATION":
    with open(MODEL, "rb") as file:
        model = pickle.load(file)
else:
    draw = random.Random(int(os.environ.get("LC_SEED", "0")))
    neighbours, power = draw.randint(1, 30), draw.choice([1, 2, 3])
    print(f"training with {neighbours} neighbours, p={power}")
    model = KNeighborsClassifier(neighbours, weights="distance", p=power)
    model.fit(PIXELS[~HELD_BACK], DIGITS[~HELD_BACK])
    with open(MODEL, "wb") as file:
        pickle.dump(model, file)

print(float(model.score(PIXELS[HELD_BACK], DIGITS[HELD_BACK])))
