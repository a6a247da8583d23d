from typing import Any

from rest_framework import serializers

from apps.trainers.catalogue import Trainer


class TrainerModelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    tasks = serializers.ListField(child=serializers.CharField())
    parameters = serializers.IntegerField(allow_null=True)


class TrainerSerializer(serializers.Serializer[Trainer]):
    name = serializers.CharField()
    title = serializers.CharField(source="descriptor.title")
    version = serializers.CharField(source="descriptor.version")
    license = serializers.CharField(source="descriptor.license")
    description = serializers.SerializerMethodField()
    modes = serializers.ListField(child=serializers.CharField(), source="descriptor.modes")
    tasks = serializers.ListField(child=serializers.CharField(), source="descriptor.tasks")
    resumes = serializers.BooleanField(source="descriptor.resumes")
    cpus = serializers.IntegerField(source="descriptor.cpus")
    memory_mb = serializers.IntegerField(source="descriptor.memory_mb")
    gpus = serializers.IntegerField(source="descriptor.gpus")
    models = TrainerModelSerializer(many=True, source="descriptor.models")

    def get_description(self, trainer: Trainer) -> str:
        return trainer.text(trainer.descriptor.description)
