"""Messages told to one of Pykka's actors, which runs in a thread of its own, as its documentation begins."""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false

import time

import pykka

PEER = "pykka"


class Counter(pykka.ThreadingActor):
    def __init__(self):
        super().__init__()
        self.handled = self.numbers = 0

    def on_receive(self, message):
        if message is None:
            return self.handled, self.numbers
        self.handled += 1
        self.numbers += message.number


class Message:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


def answer(question):
    """So many bursts of numbered messages, each handled before the next: to ask once is how Pykka waits for that."""
    counter = Counter.start()
    tell, ask, messages = counter.tell, counter.ask, [Message(number) for number in range(question["burst"])]
    began_s = time.perf_counter()
    for _ in range(question["bursts"]):
        for message in messages:
            tell(message)
        ask(None)
    run_s = time.perf_counter() - began_s
    handled, numbers = ask(None)
    counter.stop()
    return {"run_s": run_s, "handled": handled, "total": numbers}
