"""What v1's scripts read of a request, as Flask has it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.runtime.serving.aml_request import RAW, AMLRequest, AMLResponse, from_script, rawhttp
from scriptrun.runtime.serving.errors import BadRequest
from scriptrun.runtime.serving.http import form_data, multi_dict
from scriptrun.runtime.serving.http.messages import Request
from scriptrun.runtime.serving.service import query_text, to_response


def made(body: bytes = b"", kind: str = "application/json", query: str = "") -> AMLRequest:
    headers = [("host", "localhost:8890"), ("content-type", kind), ("cookie", 'a=1; b="2"')]
    return AMLRequest(Request("POST", "/score", query, headers, body, "127.0.0.1"))


def test_its_attributes():
    request = made(b'{"a": 1}', query="x=1&x=2&y=%C3%A4&z=")
    assert (request.method, request.path) == ("POST", "/score")
    assert request.full_path == "/score?x=1&x=2&y=%C3%A4&z="
    assert request.url == "http://localhost:8890" + request.full_path
    assert request.base_url == "http://localhost:8890/score"
    assert request.args == {"x": "1", "y": "\u00e4", "z": ""}
    assert request.args.getlist("x") == ["1", "2"]
    assert request.args.get("x", type=int) == 1
    assert request.args.get("y", 5, type=int) == 5
    assert request.args.get("missing", "d") == "d"
    assert request.args.to_dict(flat=False)["x"] == ["1", "2"]
    assert (
        request.headers["CONTENT-TYPE"] == request.headers.get("content-type") == "application/json"
    )
    assert "host" in request.headers
    assert dict(request.headers)["Host"] == "localhost:8890"
    assert request.remote_addr == "127.0.0.1"
    assert request.cookies == {"a": "1", "b": "2"}
    assert request.json == request.get_json() == {"a": 1}
    assert request.get_data() == request.data == request.stream.read() == b'{"a": 1}'
    assert request.get_data(as_text=True) == '{"a": 1}'
    assert made().full_path == "/score?"


def test_json_that_is_none():
    with pytest.raises(BadRequest, match="not valid JSON"):
        _ = made(b"{").json
    with pytest.raises(BadRequest, match="content type"):
        made(b"{}", "text/plain").get_json()
    assert made(b"{}", "text/plain").get_json(force=True) == {}
    assert made(b"{", "text/plain").get_json(silent=True) is None
    assert made(b"{}", "application/problem+json; charset=utf-8").is_json


def test_forms():
    request = made(b"a=1&a=2&b=%20+", form_data.URL_ENCODED, query="q=0")
    assert request.form == {"a": "1", "b": "  "}
    assert request.values == {"q": "0", "a": "1", "b": "  "}
    assert request.files == {}
    assert made(b"a=1").form == {}
    with pytest.raises(BadRequest, match="more than 1000 fields"):
        _ = made(b"&a=1" * 2000, form_data.URL_ENCODED).form


MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="text"\r\n\r\nvalue\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="image"; filename="a \\"b\\".png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--X\r\n\r\n--XX--\r\n"
)


def test_files(tmp_path):
    request = made(MULTIPART, 'multipart/form-data; boundary="XX"')
    assert request.form == {"text": "value"}
    image = request.files["image"]
    assert (image.filename, image.content_type) == ('a "b".png', "image/png")
    assert image.read() == b"\x89PNG\r\n--X\r\n"
    image.seek(0)
    image.save(tmp_path / "image.png")
    assert (tmp_path / "image.png").read_bytes() == b"\x89PNG\r\n--X\r\n"


@pytest.mark.parametrize(
    "body",
    [b"", b"--XX", b"--XX\r\n\r\n", b"--XX\r\nno name\r\n\r\nx\r\n--XX--", MULTIPART[:-6],
     b"--XX\r\n\r\n\r\n--XX" * 1500 + b"--"],
)  # fmt: skip
def test_damaged_forms(body):
    with pytest.raises(BadRequest):
        _ = made(body, "multipart/form-data; boundary=XX").files
    with pytest.raises(BadRequest, match="boundary"):
        _ = made(MULTIPART, "multipart/form-data").files


@given(
    st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.binary(max_size=60))),
    st.from_regex(r"[A-Za-z0-9]{8,40}", fullmatch=True),
)
def test_any_file_arrives(parts, boundary):
    mark = b"--" + boundary.encode()
    assume_not_inside = [(n, d) for n, d in parts if b"\r\n" + mark not in b"\r\n" + d]
    body = b"".join(
        b'%b\r\nContent-Disposition: form-data; name="%b"; filename="f"\r\n\r\n%b\r\n'
        % (mark, name.encode(), data)
        for name, data in assume_not_inside
    )
    form = form_data.parse_form(f"multipart/form-data; boundary={boundary}", body + mark + b"--")
    found = [(name, file.read()) for name, file in form.files.items(multi=True)]
    assert sorted(found) == sorted(assume_not_inside)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_a_bad_request(body):
    for kind in ("multipart/form-data; boundary=X", form_data.URL_ENCODED):
        try:
            form_data.parse_form(kind, body)
        except BadRequest:
            pass


@given(st.dictionaries(st.text(min_size=1), st.one_of(st.integers(), st.booleans(), st.none())))
def test_queries_as_json(values):
    from urllib.parse import urlencode

    query = urlencode({name: json.dumps(value) for name, value in values.items()})
    assert json.loads(query_text(query)) == values


def test_responses():
    text = from_script(AMLResponse("a\u00e4", 404))
    assert (text.status, text.body) == (404, "a\u00e4".encode())
    assert text.header("content-type") == "text/html; charset=utf-8"
    own = AMLResponse({"a": 1}, 200, {"Content-Type": "application/x", "Access": "*"}, True)
    own.headers["X-More"] = "yes"
    answer = to_response(own)
    assert (answer.body, answer.header("content-type")) == (b'{"a": 1}', "application/x")
    assert (answer.header("access"), answer.header("x-more")) == ("*", "yes")
    assert AMLResponse("x", json_str=True).get_data(as_text=True) == '"x"'
    assert AMLResponse(b"\xff").get_data() == b"\xff"
    own.data = "\u00e4"
    assert own.data == from_script(own).body == "\u00e4".encode()
    with pytest.raises(TypeError, match="must be bytes or text, not int"):
        own.data = 5
    failed = from_script(AMLResponse("x", 500, run_function_failed=True))
    assert failed.header("x-ms-run-function-failed") == "True"
    assert from_script({"status_code": 1}) is None
    with pytest.raises(ValueError, match="from 200 to 599"):
        from_script(AMLResponse("x", 100))
    with pytest.raises(ValueError, match="not valid"):
        from_script(AMLResponse("x", 200, {"a": "b\r\nc: d"}))


def test_what_scripts_set_on_a_response_goes_out():
    own = AMLResponse("x")
    assert (own.mimetype, own.status) == ("text/html", "200 OK")
    own.content_type = "image/png"
    assert from_script(own).header("content-type") == own.mimetype == "image/png"
    own.mimetype = "text/csv"
    assert from_script(own).header("content-type") == own.content_type == "text/csv; charset=utf-8"
    for status in ("404 NOT FOUND", 404, "404"):
        own.status = status
        assert (from_script(own).status, own.status) == (404, "404 NOT FOUND")
    own.set_cookie("a", "1")
    own.set_cookie("b", "2", max_age=60, path=None, secure=True, httponly=True, samesite="Lax")
    cookies = [value for name, value in from_script(own).headers if name.lower() == "set-cookie"]
    assert cookies == ["a=1; Path=/", "b=2; Max-Age=60; SameSite=Lax; Secure; HttpOnly"]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("latin-1", "iso8859-1"), ("'x'", "utf-8"), ('"UTF-16"', "utf-16"), ("cp1252", "cp1252"),
        ("shift_jis", "shift_jis"), ("ascii", "ascii"), ("none", "utf-8"), ("", "utf-8"),
        ("hex", "utf-8"), ("zip", "utf-8"), ("rot13", "utf-8"), ("idna", "utf-8"),
        ("punycode", "utf-8"), ("unicode_escape", "utf-8"), ("undefined", "utf-8"),
        ("a" * 5000, "utf-8"), ("\u00e4", "utf-8"), ("utf-7", "utf-8"),
    ],
)  # fmt: skip
def test_character_sets(given, used):
    name = form_data.charset(f"text/plain; charset={given}")
    assert name == used
    assert isinstance(b"\xff\xfe-\x00".decode(name, "replace"), str)


def test_json_that_is_nested_too_deeply():
    deep = b"[" * 200_000
    with pytest.raises(BadRequest, match="not valid JSON"):
        _ = made(deep).json
    assert made(deep).get_json(silent=True) is None
    assert json.loads(query_text("a=" + deep.decode())) == {"a": deep.decode()}


def test_headers_and_the_decorator():
    headers = multi_dict.Headers([("set-cookie", "a"), ("set-cookie", "b")])
    assert headers.getlist("Set-Cookie") == ["a", "b"]
    headers.add("X", "1")
    headers.update({"x": "2"})
    assert headers.keys() == ["Set-Cookie", "Set-Cookie", "x"]
    assert headers.values() == ["a", "b", "2"]
    assert len(headers) == 3
    del headers["set-cookie"]
    with pytest.raises(KeyError):
        _ = headers["set-cookie"]

    @rawhttp
    def run(request):
        "Docs."
        return request

    assert getattr(run, RAW)
    assert (run(1), run.__doc__, run.__name__) == (1, "Docs.", "run")
