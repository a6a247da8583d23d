"""Softmax regression on points of the plane, in plain Python and fully determined by a seed."""

import math
import random
from dataclasses import dataclass

Point = tuple[float, float, int]
CENTRES = ((0.0, 2.0), (-1.8, -1.0), (1.8, -1.0))
CLASSES = ("north", "west", "east")
SPREAD = 0.9


def batch_of(seed: int, step: int, size: int) -> list[Point]:
    """The `size` points of one step, `(x, y, class)`; the same for the same seed and step, whatever came before."""
    source = random.Random(f"{seed}/{step}")
    points = []
    for _ in range(size):
        label = source.randrange(len(CENTRES))
        x, y = CENTRES[label]
        points.append((source.gauss(x, SPREAD), source.gauss(y, SPREAD), label))
    return points


@dataclass
class Model:
    """One row of weights `(x, y, bias)` for each class."""

    weights: list[list[float]]

    @classmethod
    def new(cls, seed: int) -> "Model":
        source = random.Random(f"{seed}/weights")
        return cls([[source.uniform(-0.1, 0.1) for _ in range(3)] for _ in CENTRES])

    def probabilities(self, x: float, y: float) -> list[float]:
        """How likely each class is for a point; sums to 1."""
        scores = [row[0] * x + row[1] * y + row[2] for row in self.weights]
        top = max(scores)
        powers = [math.exp(score - top) for score in scores]
        total = sum(powers)
        return [power / total for power in powers]

    def learn(self, points: list[Point], learning_rate: float) -> float:
        """One step of gradient descent; returns the mean cross-entropy before it."""
        loss = 0.0
        gradients = [[0.0, 0.0, 0.0] for _ in self.weights]
        for x, y, label in points:
            chances = self.probabilities(x, y)
            loss -= math.log(max(chances[label], 1e-12))
            for index, gradient in enumerate(gradients):
                error = chances[index] - (index == label)
                for place, value in enumerate((x, y, 1.0)):
                    gradient[place] += error * value
        for row, gradient in zip(self.weights, gradients, strict=True):
            for place in range(3):
                row[place] -= learning_rate * gradient[place] / len(points)
        return loss / len(points)

    def judge(self, points: list[Point]) -> tuple[float, float, list[list[int]]]:
        """Mean cross-entropy, accuracy 0…1, and counts `[true class][chosen class]`."""
        loss = 0.0
        counts = [[0] * len(self.weights) for _ in self.weights]
        for x, y, label in points:
            chances = self.probabilities(x, y)
            loss -= math.log(max(chances[label], 1e-12))
            counts[label][chances.index(max(chances))] += 1
        right = sum(counts[index][index] for index in range(len(counts)))
        return loss / len(points), right / len(points), counts
