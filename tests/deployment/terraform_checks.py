"""Checks of templates that need no AWS; each returns one line per fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

from tests.deployment import provider_schema
from tests.deployment.provider_schema import Argument, block_schema
from tests.deployment.terraform_files import (
    Block,
    Body,
    Reference,
    arguments,
    dynamic_blocks,
    is_expression,
    literal,
    nested_blocks,
    references,
)

META = {"count", "for_each", "depends_on", "provider", "lifecycle"}
LIFECYCLE = {
    "create_before_destroy",
    "prevent_destroy",
    "ignore_changes",
    "replace_triggered_by",
    "precondition",
    "postcondition",
}
VARIABLE = {"description", "type", "default", "nullable", "sensitive", "validation"}
OUTPUT = {"description", "value", "sensitive", "depends_on"}
CONDITION = {"condition", "error_message"}
# Actions on things that have no ARN.
WITHOUT_ARN = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "ecr:GetAuthorizationToken"}
POLICY_ARGUMENTS = {"policy", "assume_role_policy", "inline_policy", "managed_policy_arns"}


def schema_faults(blocks: list[Block]) -> list[str]:
    """Arguments and blocks that are unknown to the provider, missing, or of the wrong type."""
    return [fault for block in blocks for fault in _schema_faults(block)]


def _schema_faults(block: Block) -> Iterator[str]:
    where = block.address
    if block.kind == "variable":
        yield from _fixed(where, block.body, VARIABLE, {"description", "type"})
        for condition in block.body.get("validation", []):
            yield from _fixed(f"{where}.validation", condition, CONDITION, CONDITION)
    elif block.kind == "output":
        yield from _fixed(where, block.body, OUTPUT, {"description", "value"})
    elif block.kind in ("resource", "data", "provider"):
        kind = cast(provider_schema.Kind, block.kind)
        schema = block_schema(kind, block.labels[0])
        if schema is None:
            yield f"{where}: the provider has no {kind} {block.labels[0]}"
            return
        body = dict(block.body)
        if kind != "provider":
            yield from _meta_faults(where, body, schema.arguments)
        yield from _body_faults(where, {k: v for k, v in body.items() if k not in META}, schema.arguments)


def _meta_faults(where: str, body: Body, known: Mapping[str, Argument]) -> Iterator[str]:
    if "count" in body and "for_each" in body:
        yield f"{where}: count and for_each exclude each other"
    for lifecycle in body.get("lifecycle", []):
        yield from _fixed(f"{where}.lifecycle", lifecycle, LIFECYCLE, set())
        for name in ("precondition", "postcondition"):
            for condition in lifecycle.get(name, []):
                yield from _fixed(f"{where}.lifecycle.{name}", condition, CONDITION, CONDITION)
        for name in lifecycle.get("ignore_changes", []):
            if str(name).strip("${}") not in known:
                yield f"{where}.lifecycle.ignore_changes: there is no argument {name}"


def _fixed(where: str, body: Body, known: set[str], required: set[str]) -> Iterator[str]:
    names = {name for name, _ in arguments(body)}
    yield from (f"{where}: there is no argument {name}" for name in sorted(names - known))
    yield from (f"{where}: {name} is missing" for name in sorted(required - names))


def _body_faults(where: str, body: Body, known: Mapping[str, Argument]) -> Iterator[str]:
    contents: list[tuple[str, Body]] = []
    present = set()
    for name, value in arguments(body):
        if name == "dynamic":
            continue
        argument = known.get(name)
        blocks = nested_blocks(value)
        if argument is None:
            yield f"{where}: there is no {'block' if blocks else 'argument'} {name}"
            continue
        if value is not None:
            present.add(name)
        if (blocks is None) != (argument.block is None):
            yield f"{where}: {name} is {'an argument' if argument.block is None else 'a block'}"
        elif blocks is not None:
            if len(blocks) > 1 and not argument.many:
                yield f"{where}: {name} is given {len(blocks)} times"
            contents += [(name, b) for b in blocks]
        elif not _fits(value, argument):
            yield f"{where}: {name} must be a {argument.shape}"
    for name, _, content in dynamic_blocks(body):
        if name not in known or known[name].block is None:
            yield f"{where}: there is no block {name}"
        else:
            present.add(name)
            contents.append((name, content))
    for name, argument in known.items():
        if argument.required and name not in present:
            yield f"{where}: {name} is missing"
    for name, content in contents:
        schema = known[name].block
        assert schema is not None
        yield from _body_faults(f"{where}.{name}", content, schema.arguments)


def _fits(value: Any, argument: Argument) -> bool:
    """Whether a literal has the type of the argument; expressions are not evaluated."""
    if value is None or is_expression(value):
        return True
    if argument.shape in ("list", "map", "object"):
        # Only a block may write a list of objects as one object.
        return isinstance(value, list if argument.shape == "list" else dict)
    if isinstance(value, list | dict):
        return False
    text = literal(value)
    if argument.shape == "number":
        return isinstance(value, int | float) if text is None else text.replace(".", "", 1).isdecimal()
    if argument.shape == "bool":
        return isinstance(value, bool) if text is None else text in ("true", "false")
    return True


def reference_faults(blocks: list[Block]) -> list[str]:
    """Names in expressions that are not declared, have an index without a count, or lack one with a count."""
    declared = Counter(block.address for block in blocks if block.kind not in ("locals", "terraform", "provider"))
    declared.update(f"local.{name}" for block in blocks if block.kind == "locals" for name, _ in arguments(block.body))
    counted = {block.address: "count" in block.body or "for_each" in block.body for block in blocks}
    faults = [f"{address} is declared {times} times" for address, times in declared.items() if times > 1]
    for block in blocks:
        for reference in references(block.body):
            fault = _reference_fault(reference, block, set(declared), counted)
            if fault:
                faults.append(f"{block.address}: {reference} {fault}")
    return faults


def _reference_fault(reference: Reference, block: Block, declared: set[str], counted: Mapping[str, bool]) -> str | None:
    head, path = reference.head, reference.path
    if reference.bound:
        return None
    if head == "var":
        return None if f"variable.{path[0]}" in declared else "is not declared"
    if head == "local":
        return None if f"local.{path[0]}" in declared else "is not declared"
    if head == "each":
        return None if "for_each" in block.body and path[0] in ("key", "value") else "is not known here"
    if head == "count":
        return None if "count" in block.body and path == ("index",) else "is not known here"
    is_data = head == "data"
    if not is_data and not head.startswith("aws_"):
        return "is not known here"
    parts = (head, *path) if is_data else ("resource", head, *path)
    kind, name, rest = parts[0], ".".join(parts[:3] if is_data else parts[1:3]), parts[3:]
    if len(parts) < 3 or name not in declared:
        return "is not declared"
    attribute = rest[0] if rest else reference.after
    if attribute is None:
        return None
    if counted[name] and rest:
        return "needs an index: there may be none or many"
    if not counted[name] and not rest and reference.index:
        return "has an index, but there is exactly one"
    schema = block_schema("data" if kind == "data" else "resource", parts[1])
    if schema is not None and attribute not in schema.attributes | set(schema.arguments):
        return f"has no attribute {attribute}"
    return None


def unused_faults(blocks: list[Block]) -> list[str]:
    """Variables, locals and data sources that nothing refers to."""
    used = set()
    for block in blocks:
        # A variable's own validation does not count as a use.
        body = {k: v for k, v in block.body.items() if not (block.kind == "variable" and k == "validation")}
        for reference in references(body):
            used.add(".".join((reference.head, *reference.path[: 2 if reference.head == "data" else 1])))
    faults = []
    for block in blocks:
        if block.kind == "variable" and f"var.{block.labels[0]}" not in used:
            faults.append(f"{block.address} is never used")
        if block.kind == "data" and block.address not in used:
            faults.append(f"{block.address} is never used")
        if block.kind == "locals":
            faults += [f"local.{n} is never used" for n, _ in arguments(block.body) if f"local.{n}" not in used]
    return faults


def statements(block: Block) -> list[Body]:
    """The statements of an aws_iam_policy_document, conditional ones included."""
    fixed: list[Body] = block.body.get("statement", [])
    return fixed + [content for name, _, content in dynamic_blocks(block.body) if name == "statement"]


def policy_faults(blocks: list[Block]) -> list[str]:
    """Permissions that are wider than necessary, and policies that are not policy documents."""
    faults = []
    for block in blocks:
        if block.kind == "data" and block.labels[0] == "aws_iam_policy_document":
            for statement in statements(block):
                where = f"{block.address}.{literal(statement.get('sid')) or 'statement'}"
                faults += [f"{where}: {fault}" for fault in _statement_faults(statement)]
        if block.kind == "resource" and block.labels[0].startswith("aws_iam_"):
            for name in POLICY_ARGUMENTS & set(block.body):
                if not str(block.body[name]).startswith("${data.aws_iam_policy_document."):
                    faults.append(f"{block.address}: {name} is not a policy document of this folder")
    return faults


def _statement_faults(statement: Body) -> Iterator[str]:
    for name in ("not_actions", "not_resources", "not_principals"):
        if name in statement:
            yield f"{name} allows everything that is not listed"
    actions = statement.get("actions", [])
    resources = statement.get("resources", [])
    if not isinstance(actions, list) or not isinstance(resources, list):
        yield "actions and resources must be lists, so that they can be checked"
        return
    names = [literal(action) for action in actions]
    for action, plain in zip(actions, names, strict=True):
        if plain is None or "*" in plain or "?" in plain:
            yield f"action {action} is not one action"
    for resource in resources:
        text = literal(resource)
        if text is not None and "*" in text and not (text == "*" and set(names) <= WITHOUT_ARN):
            yield f"resource {resource} is not one thing of this deployment"
    if not resources and "principals" not in statement:
        yield "resources is missing"
