"""The FMA peak."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.bench import peak
from npbert.errors import KernelError
from npbert.simd import buffers, isa

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("kernel", "count"), [(peak.six_chains_kernel, 6), (peak.twelve_chains_kernel, 12)]
)
def test_every_chain_is_computed(kernel, count):
    x = buffers.zeros(count + 2, 16)
    x[:count] = np.arange(1, count + 1)[:, None]
    x[count], x[count + 1] = 0.5, 3
    kernel(2, x)
    expected = sum((c * 0.5 + 3) * 0.5 + 3 for c in range(1, count + 1))
    np.testing.assert_allclose(x[0], expected, rtol=1e-6)


def test_a_thread_is_some_gigaflops():
    assert peak.measure(1, 20_000) > 1e8
    assert peak.measure(2, 20_000) > 1e8


def test_without_fma_there_is_no_peak(monkeypatch):
    monkeypatch.setattr(isa, "current", lambda: isa.ISAS["generic"])
    with pytest.raises(KernelError, match="no fused multiply-add"):
        peak.chains()
