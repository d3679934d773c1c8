"""A word counter: paste a text, see its most frequent words."""
from collections import Counter

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/")
def index():
    """A form, and nothing else."""
    return '<form action="/count"><textarea name="text"></textarea><button>Count</button></form>'


@app.get("/count")
def count():
    """The ten most frequent words of `text`."""
    words = request.args.get("text", "").lower().split()
    return jsonify(Counter(words).most_common(10))
