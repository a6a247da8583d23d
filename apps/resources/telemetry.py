"""Measures this machine: psutil for CPU, memory and disk, NVML for NVIDIA GPUs when there are any."""

from pathlib import Path
from typing import Any

import psutil
import pynvml

MEGABYTE = 1024 * 1024


class Telemetry:
    """Keeps NVML open between samples."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._handles: list[Any] = []
        try:
            pynvml.nvmlInit()
            self._handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        except pynvml.NVMLError:
            self._handles = []
        psutil.cpu_percent(interval=None)

    def capacity(self) -> dict[str, Any]:
        """What the machine has: `cpus`, `memory_mb`, `gpus`, `boot_id`."""
        boot = Path("/proc/sys/kernel/random/boot_id")
        return {
            "cpus": psutil.cpu_count() or 1,
            "memory_mb": psutil.virtual_memory().total // MEGABYTE,
            "gpus": [
                {
                    "index": index,
                    "name": pynvml.nvmlDeviceGetName(handle),
                    "memory_mb": pynvml.nvmlDeviceGetMemoryInfo(handle).total // MEGABYTE,
                }
                for index, handle in enumerate(self._handles)
            ],
            "boot_id": boot.read_text().strip() if boot.exists() else "",
        }

    def sample(self) -> dict[str, Any]:
        """What is used since the last sample: `cpu_percent`, `memory_used_mb`, `disk_used_percent`, `gpus`."""
        memory = psutil.virtual_memory()
        return {
            "cpu_percent": psutil.cpu_percent(interval=None),
            "memory_used_mb": (memory.total - memory.available) // MEGABYTE,
            "disk_used_percent": psutil.disk_usage(str(self._disk)).percent,
            "gpus": [self._gpu(index, handle) for index, handle in enumerate(self._handles)],
        }

    def _gpu(self, index: int, handle: Any) -> dict[str, Any]:
        try:
            return {
                "index": index,
                "percent": pynvml.nvmlDeviceGetUtilizationRates(handle).gpu,
                "memory_mb": pynvml.nvmlDeviceGetMemoryInfo(handle).used // MEGABYTE,
                "celsius": pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU),
            }
        except pynvml.NVMLError:
            return {"index": index, "percent": None, "memory_mb": None, "celsius": None}
