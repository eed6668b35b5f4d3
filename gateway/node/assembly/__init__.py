"""Puts a node's objects together; the only place where this is done."""
