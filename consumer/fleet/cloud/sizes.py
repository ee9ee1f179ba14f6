"""The sizes that Fargate has for a task, and no others (ECS: RegisterTaskDefinition, `cpu` and `memory`)."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.errors import TemplateError, problem

GIB = 1024
UNITS = 1024  # of CPU in one vCPU


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """A task's CPU, in units of which a vCPU has 1,024, and memory in MiB."""

    cpu: int
    memory: int

    @property
    def vcpu(self) -> float:
        """Its vCPUs."""
        return self.cpu / UNITS

    @property
    def gib(self) -> float:
        """Its memory in GiB."""
        return self.memory / GIB

    def __str__(self) -> str:
        return f"{self.vcpu:g} vCPU, {self.gib:g} GB"


def _steps(cpu: int, least: int, most: int, step: int) -> list[Size]:
    return [Size(cpu, gib * GIB) for gib in range(least, most + 1, step)]


SIZES = (
    Size(256, 512), *_steps(256, 1, 2, 1), *_steps(512, 1, 4, 1), *_steps(1024, 2, 8, 1), *_steps(2048, 4, 16, 1),
    *_steps(4096, 8, 30, 1), *_steps(8192, 16, 60, 4), *_steps(16_384, 32, 120, 8),
)  # fmt: skip


def at(cpu: int, memory: int) -> Size:
    """Give the size of so much CPU and memory. Raises TemplateError, which names those that there are."""
    if (found := Size(cpu, memory)) not in SIZES:
        allowed = ", ".join(str(one.memory) for one in SIZES if one.cpu == cpu) or "none"
        wrong = f"{memory} beside Cpu={cpu}"
        raise TemplateError(problem("parameter Memory", f"one of {allowed}", wrong, "Fargate has no other sizes"))
    return found
