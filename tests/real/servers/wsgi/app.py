"""A Flask application behind gunicorn, with the middleware for method overrides that Flask's documentation shows."""
import os

from flask import Flask, Response, request
from werkzeug.wrappers import Request

app = Flask(__name__)
METHODS = ["GET", "POST", "DELETE"]
journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def serve(resource):
    decision = request.headers.get("X-Portcullis-Decision", "")
    line = f"{decision}\t{request.method}\t{resource}\t{request.path}\n"
    os.write(journal, line.encode("utf-8", "surrogateescape"))
    text = {"open": "OPEN-9b1c\n", "secret": "SECRET-7f3a\n", "none": "nothing\n"}[resource]
    if request.method == "DELETE" and resource != "none":
        text += "DELETED\n"
    return Response(text, 404 if resource == "none" else 200, mimetype="text/plain")


@app.route("/open", methods=METHODS)
@app.route("/open/<item>", methods=METHODS)
@app.route("/open/<item>/<part>", methods=METHODS)
@app.route("/<shelf>/<item>", methods=METHODS)
@app.route("/files/<path:rest>", methods=METHODS)
def opened(**_):
    return serve("open")


@app.route("/secret", methods=METHODS)
@app.route("/secret/<item>", methods=METHODS)
def secret(**_):
    return serve("secret")


@app.errorhandler(404)
def missing(_):
    return serve("none")


class Override:
    """Applies the method that a POST requests in a header or in a query parameter `_method`."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            asked = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE")
            if asked is None:
                asked = Request(environ).args.get("_method")
            if asked and asked.upper() in METHODS:
                environ["REQUEST_METHOD"] = asked.upper()
        return self.inner(environ, start_response)


app.wsgi_app = Override(app.wsgi_app)
