"""What threads need that are inside kernels at the same time: counters in memory, and patience."""

from __future__ import annotations

import os
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_INT32, _VOID = ir.IntType(32), ir.VoidType()


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


@intrinsic
def atomic_add(typing: Any, counters: Any, index: Any, value: Any) -> Any:
    """``counters[index] += value`` in one step; returns what was there before."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], *args[:2])
        return builder.atomic_rmw("add", place, args[2], "seq_cst")

    return types.int64(counters, types.int64, types.int64), codegen


@intrinsic
def atomic_load(typing: Any, counters: Any, index: Any) -> Any:
    """``counters[index]``, and all that was written before it was."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], *args)
        return builder.load_atomic(place, "acquire", 8)

    return types.int64(counters, types.int64), codegen


@intrinsic
def let_others_run(typing: Any) -> Any:
    """Offer the processor to another thread, where the system has a call for it."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if os.name == "posix":
            kind = ir.FunctionType(_INT32, [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen
