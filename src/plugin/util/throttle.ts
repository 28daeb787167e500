/**
 * Passes on the first call at once and then at most one per `intervalMs`, always the latest. `cancel` drops what
 * still waits.
 * @param how `isLate`: the first one, too, waits for an interval, and for what comes meanwhile
 */
export function throttle<T>(
  intervalMs: number,
  pass: (value: T) => void,
  { isLate = false }: { isLate?: boolean } = {},
) {
  let waiting: { value: T } | undefined
  let timer: NodeJS.Timeout | undefined

  const open = () => {
    timer = undefined
    if (!waiting) return
    const { value } = waiting
    waiting = undefined
    send(value)
  }
  const close = () => {
    timer = setTimeout(open, intervalMs)
    timer.unref()
  }
  const send = (value: T) => {
    close()
    pass(value)
  }

  return {
    call(value: T) {
      if (!timer && !isLate) return send(value)
      waiting = { value }
      if (!timer) close()
    },
    cancel() {
      clearTimeout(timer)
      timer = undefined
      waiting = undefined
    },
  }
}
