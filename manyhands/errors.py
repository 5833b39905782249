"""Every error that manyhands raises on purpose, in one tree.

    ManyhandsError
    ├── SettingsError            a value in the settings is wrong
    ├── RoleError                a role file is wrong or missing
    ├── InputError               what the user gave cannot be used (question, file, id)
    ├── EngineError              the model server or its answer
    │   ├── Unreachable          nobody answers at the host
    │   ├── ModelMissing         the host lacks the model
    │   ├── ServerBusy           the host's queue is full
    │   ├── OutOfMemory          the model does not fit
    │   ├── ContextOverflow      the prompt is longer than num_ctx
    │   ├── RequestRefused       the host says that the request is wrong
    │   ├── RunnerCrashed        the model's process died
    │   ├── ServerFault          any other failure that the host reports
    │   ├── StreamCut            the stream ended without its last line
    │   ├── MalformedLine        a line of the stream is not what the protocol says
    │   ├── AnswerTruncated      the model stopped at its token limit
    │   └── DeadlineExceeded     one of the four clocks ran out
    ├── SandboxError             running model-written code
    │   ├── NoIsolation          no sandbox works on this machine and no opt-in was given
    │   └── HandsEnvironmentError  the hands' own Python environment cannot be used
    ├── BudgetExceeded           a limit of tokens, seconds, loads or steps
    ├── ApprovalDenied           the broker did not allow an effect
    ├── StorageError             the journal, the memory or an artifact cannot be read or written
    │   ├── StorageBusy          another process has the file
    │   ├── StorageFull          no space is left
    │   └── NewerFormat          the file was written by a newer version
    └── MissingExtra             an optional part is not installed

Each says what happened, to which model or file, and (`hint`) what the user can do next.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AnswerTruncated",
    "ApprovalDenied",
    "BudgetExceeded",
    "ContextOverflow",
    "DeadlineExceeded",
    "EngineError",
    "HandsEnvironmentError",
    "InputError",
    "MalformedLine",
    "ManyhandsError",
    "MissingExtra",
    "ModelMissing",
    "NewerFormat",
    "NoIsolation",
    "OutOfMemory",
    "RequestRefused",
    "RoleError",
    "RunnerCrashed",
    "SandboxError",
    "ServerBusy",
    "ServerFault",
    "SettingsError",
    "StorageBusy",
    "StorageError",
    "StorageFull",
    "StreamCut",
    "Unreachable",
    "fault_in",
]


class ManyhandsError(Exception):
    """Base of all foreseeable faults.

    Args:
        message: what happened, naming the model, file or limit.
        hint: the next action, one sentence; empty when there is none.
    """

    #: Exit code of the command line for this kind of fault (`docs/cli.md`).
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class SettingsError(ManyhandsError):
    exit_code = 2


class RoleError(ManyhandsError):
    exit_code = 2


class InputError(ManyhandsError):
    exit_code = 2


class EngineError(ManyhandsError):
    """Base of faults of a model server.

    Attributes:
        host: the URL that was asked.
        model: the model that was asked for; empty when the call names none.
        retryable: whether the same call may succeed when sent again unchanged.
    """

    exit_code = 3
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", host: str = "", model: str = "") -> None:
        super().__init__(message, hint=hint)
        self.host = host
        self.model = model


class Unreachable(EngineError):
    retryable = True


class ModelMissing(EngineError):
    pass


class ServerBusy(EngineError):
    retryable = True


class OutOfMemory(EngineError):
    pass


class ContextOverflow(EngineError):
    """The prompt does not fit.

    Attributes:
        prompt_tokens: length of the prompt in tokens, as the server or our estimate says.
        num_ctx: the window in tokens.
    """

    def __init__(self, message: str, *, prompt_tokens: int, num_ctx: int, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.prompt_tokens = prompt_tokens
        self.num_ctx = num_ctx


class RequestRefused(EngineError):
    pass


class RunnerCrashed(EngineError):
    retryable = True


class ServerFault(EngineError):
    pass


class StreamCut(EngineError):
    retryable = True


class MalformedLine(EngineError):
    retryable = True


class AnswerTruncated(EngineError):
    """The model reached its token limit; `partial` holds what it said before."""

    def __init__(self, message: str, *, partial: str = "", **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.partial = partial


class DeadlineExceeded(EngineError):
    """A clock ran out; `clock` is one of connect, load, first_token, gap, total."""

    def __init__(self, message: str, *, clock: str, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.clock = clock


class SandboxError(ManyhandsError):
    exit_code = 4


class NoIsolation(SandboxError):
    pass


class NeedsPython(NoIsolation):
    """Only Monty, an interpreter for pure Python, works here, and it is not enough for this."""


class HandsEnvironmentError(SandboxError):
    pass


class BudgetExceeded(ManyhandsError):
    """A budget ran out.

    Attributes:
        limit: which limit (`tokens`, `seconds`, `gpu_seconds`, `loads`, `steps`).
        allowed: its value.
        used: what had been used when it was noticed.
    """

    exit_code = 5

    def __init__(
        self, message: str, *, limit: str, allowed: float, used: float, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.limit = limit
        self.allowed = allowed
        self.used = used


class ApprovalDenied(ManyhandsError):
    exit_code = 6


class StorageError(ManyhandsError):
    exit_code = 7


class StorageBusy(StorageError):
    """Another process has the file, or another thread this connection."""


class StorageFull(StorageError):
    pass


class NewerFormat(StorageError):
    pass


class MissingExtra(ManyhandsError):
    exit_code = 2


def fault_in(error: BaseException) -> ManyhandsError | None:
    """The foreseeable fault: `error` itself, or the first one in a group that tasks raised."""
    if isinstance(error, ManyhandsError):
        return error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            found = fault_in(inner)
            if found is not None:
                return found
    return None
