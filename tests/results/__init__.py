"""Tests of the historical database."""
