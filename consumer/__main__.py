import sys

from consumer.cli import program

sys.exit(program())
