"""The worker side: what runs inside a contender's process. Standard library, numpy and `backends` only."""
