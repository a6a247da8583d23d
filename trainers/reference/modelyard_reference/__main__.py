"""`python -m modelyard_reference train|predict --spec spec.json`"""

from modelyard_trainer import run

from modelyard_reference.prediction import predict
from modelyard_reference.training import train

if __name__ == "__main__":
    run(train=train, predict=predict)
