"""The order journal: one append-only file of facts, written before anybody acts upon them.

Writing     `Journal(journal_path(folder, name))`, `open(apply)`, `append(fact)`, `committed()`
Reading     `read(path)`, also while somebody writes to it
Without     `Nowhere()`, where nothing needs to outlive the process
"""

from .format import BODY_MOST as BODY_MOST, VERSION as VERSION
from .nowhere import Nowhere as Nowhere
from .reading import Recovery as Recovery, read as read
from .safety import journal_path as journal_path
from .writer import Durability as Durability, Journal as Journal
