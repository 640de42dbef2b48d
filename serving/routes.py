"""The paths of a door, and errors of the contract for everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serving.errors import MethodNotAllowed, PathNotFound

Routes = Mapping[str, Sequence[str]]

PREDICT: Routes = {"/predict": ("POST",)}
PAGE: Routes = {"/": ("GET", "HEAD")}


def check_route(routes: Routes, method: str, path: str) -> None:
    """Raise PathNotFound or MethodNotAllowed unless `routes`, methods by path, has the path with this method."""
    if path not in routes:
        raise PathNotFound(f"{path[:100]} is not a path of this service; known are {', '.join(routes)}")
    if method not in routes[path]:
        allowed = routes[path]
        raise MethodNotAllowed(f"{path} has no method {method[:20]}; allowed is {', '.join(allowed)}", allowed)
