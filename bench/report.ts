import { cpus } from "node:os"
import type { Row } from "./part.ts"

export type Results = Record<string, Row[]>

export const isBroken = ({ value, bound }: Row) => bound !== undefined && !(value <= bound)

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
  return `${number(value, unit)} ${unit}`
}

function shownRange({ range, unit }: Row): string {
  return range ? range.map((each) => number(each, unit)).join(" – ") : ""
}

function shownBound(row: Row): string {
  if (row.bound === undefined) return ""
  return isBroken(row) ? `**over ${number(row.bound, row.unit)}**` : `≤ ${number(row.bound, row.unit)}`
}

function number(value: number, unit: Row["unit"]): string {
  const digits = unit === "×" ? 2 : unit === "ms" && Math.abs(value) < 10 ? 1 : 0
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
