import { cpus } from "node:os"
import { type Generation, nameOf } from "../test/support/any-opencode.ts"
import type { Row } from "./part.ts"

export type Results = Record<string, Row[]>

export const isBroken = ({ value, bound }: Row) => bound !== undefined && !(value <= bound)

/** How the results of a part are called that is measured in each opencode. */
export const titleOf = (part: string, generation: Generation) => `${part}, ${nameOf(generation)}`

/** A table for people, in Markdown. */
export function table(results: Results): string {
  const lines = Object.entries(results).flatMap(([part, rows]) => [
    `| **${part}** | | | |`,
    ...rows.map((row) => `| ${row.name} | ${shownValue(row)} | ${shownRange(row)} | ${shownBound(row)} |`),
  ])
  return ["| figure | median | range | bound |", "| --- | --: | --: | --- |", ...lines].join("\n")
}

/** All of it, with what it was measured on. */
export function json(results: Results, rounds: number): string {
  const [cpu] = cpus()
  const machine = {
    cpus: cpus().length,
    cpu: cpu?.model,
    system: `${process.platform} ${process.arch}`,
    node: process.version,
  }
  return `${JSON.stringify({ at: new Date().toISOString(), rounds, machine, results }, undefined, 2)}\n`
}

function shownValue({ value, unit }: Row): string {
  return `${shownNumber(value, unit)} ${unit}`
}

function shownRange({ range, unit }: Row): string {
  return range ? range.map((each) => shownNumber(each, unit)).join(" – ") : ""
}

function shownBound(row: Row): string {
  if (row.bound === undefined) return ""
  return isBroken(row)
    ? `**over ${shownNumber(row.bound, row.unit)}**`
    : `≤ ${shownNumber(row.bound, row.unit)}`
}

export function shownNumber(value: number, unit: Row["unit"]): string {
  const digits = unit === "×" ? 2 : unit === "ms" && Math.abs(value) < 10 ? 1 : 0
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
