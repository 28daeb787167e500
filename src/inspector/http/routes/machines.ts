import { Hono } from "hono"
import { MACHINES, type MachineAnswer } from "../api.ts"
import { ApiError } from "../api-error.ts"

/** The machines, laid out for drawing when the package was built. */
export function machineRoutes(machines: ReadonlyMap<string, MachineAnswer>): Hono {
  return new Hono().get("/:name", (c) => {
    const machine = machines.get(c.req.param("name"))
    if (!machine)
      throw new ApiError(404, "machine", `There is no such machine. The machines are ${MACHINES.join(", ")}.`)
    return c.json(machine)
  })
}
