"""Addresses of this page are added by its owner."""

from fastapi import APIRouter

router = APIRouter()
