"""What numba does with the long tuples of arrays that kernels take, made cheap to compile.

Every ``w.x`` of a tuple of fifty arrays takes the whole tuple apart again: some 350 numbers, hundreds of times in a
large kernel. Tuples do not change, so here each field that a kernel uses is taken out once, where it begins.
"""

import gc
from typing import Any

from numba.core import ir, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.untyped_passes import InlineInlinables


@register_pass(mutates_CFG=False, analysis_only=False)
class FieldsOnce(FunctionPass):
    """Move the fields of arguments that are named tuples to the first block, each once."""

    _name = "fields_once"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Rewrite `state.func_ir`; True if anything has changed."""
        blocks, definitions = state.func_ir.blocks, state.func_ir._definitions
        assigned: dict[str, list[Any]] = {}
        for block in blocks.values():
            for one in block.find_insts(ir.Assign):
                assigned.setdefault(one.target.name, []).append(one.value)
        taken: dict[tuple[str, str], Any] = {}
        copies: dict[str, Any] = {}
        first, new = blocks[min(blocks)], []

        def add(name: str, value: Any) -> Any:
            variable = ir.Var(first.scope, name, value.loc)
            new.append(ir.Assign(value, variable, value.loc))
            definitions[name] = [value]
            return variable

        for block in blocks.values():
            for one in block.find_insts(ir.Assign):
                expr = one.value
                if not (isinstance(expr, ir.Expr) and expr.op == "getattr"):
                    continue
                root = _argument(expr.value, assigned, state.args)
                if root is None:
                    continue
                key = root.name, expr.attr
                if key not in taken:
                    if root.name not in copies:  # used in the first block alone, it never goes through memory
                        copies[root.name] = add(f"{root.name}.once", root)
                    field = ir.Expr.getattr(copies[root.name], expr.attr, expr.loc)
                    taken[key] = add(f"{root.name}.{expr.attr}.once", field)
                one.value = taken[key]
                definitions[one.target.name] = [one.value]
        place = 1 + max((i for i, one in enumerate(first.body) if _is_argument(one)), default=-1)
        first.body[place:place] = new
        return bool(new)


def _is_argument(statement: Any) -> bool:
    return isinstance(statement, ir.Assign) and isinstance(statement.value, ir.Arg)


def _argument(variable: Any, assigned: dict[str, list[Any]], args: Any) -> Any:
    """The argument, a named tuple, that the variable is another name of; else None."""
    while len(values := assigned.get(variable.name, [])) == 1:
        if isinstance(values[0], ir.Arg):
            return variable if isinstance(args[values[0].index], types.BaseNamedTuple) else None
        if not isinstance(values[0], ir.Var):
            return None
        variable = values[0]
    return None


class Compiler(CompilerBase):
    """Numba's own, with `FieldsOnce`, and without collecting garbage on the way: a tenth of the time."""

    def define_pipelines(self) -> list[Any]:
        """The one pipeline: without Python objects."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(FieldsOnce, InlineInlinables)
        passes.finalize()
        return [passes]

    def compile_extra(self, func: Any) -> Any:
        """Compile a function."""
        collects = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(func)
        finally:
            if collects:
                gc.enable()


def one_for_all_values(dispatcher: Any) -> None:
    """Compile no second version of a kernel for calls that hand over a written-out number, as ``False`` or ``0``."""
    template = dispatcher.get_call_template

    def of_types(args: Any, kws: Any) -> Any:
        return template([types.unliteral(one) for one in args], {k: types.unliteral(v) for k, v in kws.items()})

    dispatcher.get_call_template = of_types
