"""Reads multipart/form-data: one part `image`, and options as the other parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from serving.errors import InvalidRequest, UnsupportedBody

PICTURE = "image"  # The name of the picture's part.

MAX_PARTS = 1100  # A thousand labels, and what else there is.
MAX_FIELD_BYTES = 4096
MAX_PART_HEADERS, MAX_HEADER_BYTES = 8, 4096


@dataclass
class Form:
    """The picture's bytes, the file name that its part has, and the other parts as names and values."""

    picture: bytes
    filename: str
    options: list[tuple[str, str]]


def is_form(content_type: str) -> bool:
    """Whether a body is declared as multipart/form-data."""
    return content_type.strip().lower().startswith("multipart/form-data")


def parse_form(body: bytes, content_type: str) -> Form:
    """Read a form; raises UnsupportedBody without a boundary, and InvalidRequest for a form with other faults."""
    boundary = _parameters(content_type).get("boundary")
    if not boundary:
        raise UnsupportedBody("the Content-Type multipart/form-data has no boundary: let the client's library set it")
    reader = _Reader()
    try:
        parser = MultipartParser(
            boundary.encode("latin-1"),
            {
                "on_part_begin": reader.begin,
                "on_header_field": reader.header_name,
                "on_header_value": reader.header_value,
                "on_headers_finished": reader.headers_end,
                "on_part_data": reader.data,
                "on_end": reader.end,
            },
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )
        parser.write(body)
    except FormParserError:
        raise InvalidRequest("the body is not the multipart/form-data that its boundary announces") from None
    return reader.form()


@dataclass
class _Part:
    name: str = ""
    filename: str = ""
    header: bytes = b""  # The name of the header whose value comes next.
    disposition: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0

    @property
    def value(self) -> bytes:
        return b"".join(self.chunks)


class _Reader:
    """Collects the parts as the parser finds them, and holds each to its limit before it is copied."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._ended = False

    def begin(self) -> None:
        if len(self._parts) == MAX_PARTS:
            raise InvalidRequest(f"the form has more than {MAX_PARTS} parts")
        self._parts.append(_Part())

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._parts[-1].header = data[start:end].lower()

    def header_value(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        if part.header == b"content-disposition":
            part.disposition += data[start:end]

    def headers_end(self) -> None:
        part = self._parts[-1]
        given = _parameters(part.disposition.decode("latin-1"))
        part.name, part.filename = (_utf8(given.get(name, "")) for name in ("name", "filename"))
        if not part.name:
            raise InvalidRequest("a part of the form has no name")
        if part.name == PICTURE and any(other.name == PICTURE for other in self._parts[:-1]):
            raise InvalidRequest(f"{PICTURE}: is given more than once; send one picture per request")

    def data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        part.size += end - start
        if part.name != PICTURE and part.size > MAX_FIELD_BYTES:
            raise InvalidRequest(f"{part.name[:100]}: has more than {MAX_FIELD_BYTES} bytes")
        part.chunks.append(data[start:end])

    def end(self) -> None:
        self._ended = True

    def form(self) -> Form:
        """The form, once all is read."""
        if not self._ended:
            raise InvalidRequest("the form has no end: it was cut off, or its boundary is wrong")
        pictures = [part for part in self._parts if part.name == PICTURE]
        if not pictures:
            raise InvalidRequest(f"{PICTURE}: is required; send the picture as the part {PICTURE} of the form")
        options = [(part.name, part.value.decode(errors="replace")) for part in self._parts if part.name != PICTURE]
        return Form(pictures[0].value, pictures[0].filename, options)


def _parameters(header: str) -> dict[str, str]:
    """The parameters of a header's value, each character a byte; of other characters nothing is left but '?'."""
    _, found = parse_options_header(header.encode("latin-1", "replace").decode("latin-1"))
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in found.items()}


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode(errors="replace")
