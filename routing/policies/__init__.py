"""Policies: how an order is worked, as values; alone, nested, and by name."""

from .all_of import AllOf as AllOf
from .any_of import AnyOf as AnyOf
from .best import BestOf as BestOf
from .compensation import Compensation as Compensation, Hold as Hold, Retry as Retry, Unwind as Unwind
from .plugins import POLICIES as POLICIES, policy_from as policy_from
from .policy import Legs as Legs, Part as Part, Policy as Policy, cost as cost
from .shares import Share as Share
from .sweep import Sweep as Sweep
from .timeout import Timeout as Timeout
