"""The loop to compare with: receive, delete, nothing else. Prints when its first message came and its last one went."""

from __future__ import annotations

import sys
import time

import boto3

first = last = 0.0
sqs = boto3.client("sqs")
while True:
    messages = sqs.receive_message(QueueUrl=sys.argv[1], MaxNumberOfMessages=1, WaitTimeSeconds=1).get("Messages", [])
    if not messages:
        break
    first = first or time.time()
    sqs.delete_message(QueueUrl=sys.argv[1], ReceiptHandle=messages[0]["ReceiptHandle"])
    last = time.time()
print(first, last)
