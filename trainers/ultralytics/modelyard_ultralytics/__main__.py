"""Starts the mode that the command line names. Heavy imports happen inside the modes, after their first event."""

from modelyard_trainer import run

from modelyard_ultralytics.prediction import predict
from modelyard_ultralytics.training import train

if __name__ == "__main__":
    run(train=train, predict=predict)
