"""Listens with the package `pymercure` of 2019 and prints what it hears, one JSON document a line: HUB TOPIC."""
import json
import sys

from pymercure.consumer import Consumer


def hear(message):
    print(json.dumps({"id": message.message_id, "data": message.data}), flush=True)


consumer = Consumer(sys.argv[1], [sys.argv[2]], hear)
consumer.start_consumption()
print("open", flush=True)
