"""Where the systems of these tests are spoken to."""

from ..operations.conftest import folder as folder, runtime as runtime, socket as socket
