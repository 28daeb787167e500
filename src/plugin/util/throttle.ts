/**
 * Passes on the first call at once and then at most one per `intervalMs`, always the latest. `cancel` drops what
 * still waits.
 */
export function throttle<T>(intervalMs: number, pass: (value: T) => void) {
  let waiting: { value: T } | undefined
  let timer: NodeJS.Timeout | undefined

  const open = () => {
    timer = undefined
    if (!waiting) return
    const { value } = waiting
    waiting = undefined
    send(value)
  }
  const send = (value: T) => {
    timer = setTimeout(open, intervalMs)
    timer.unref()
    pass(value)
  }

  return {
    call(value: T) {
      if (timer) waiting = { value }
      else send(value)
    },
    cancel() {
      clearTimeout(timer)
      timer = undefined
      waiting = undefined
    },
  }
}
