// What is wrong with a line of JSON or of Vowpal Wabbit, in words.
import { JsonProblem } from './jsonl/scanner.js';
import { VwProblem } from './vw/line.js';

/** @param quoted the bytes complained of, quoted. @param column name of the column, or null. */
export function jsonProblem(problem: number, quoted: string, at: number, column: string | null): string {
  const place = `at byte ${at} of the line`;
  switch (problem) {
    case JsonProblem.notObject:
      return `is no JSON object but ${quoted}. JSON lines have one object {…} a line`;
    case JsonProblem.duplicate:
      return `column "${column}" stands twice in one object, ${place}`;
    case JsonProblem.deep:
      return `objects and lists lie more than 64 deep in each other, ${place}`;
    case JsonProblem.string:
      return `a string is never closed, holds a control character or a wrong escape, ${place}: ${quoted}`;
    default:
      return `is no JSON ${place}: ${quoted}. Is the line cut off, or one object spread over several lines?`;
  }
}

export function vwProblem(problem: number, quoted: string): string {
  switch (problem) {
    case VwProblem.noBar:
      return 'has no | between label and features: is it Vowpal Wabbit text?';
    case VwProblem.label:
      return `label: ${quoted} is no number. Labels of other kinds (multi-class, cost-sensitive, contextual bandit) are not read`;
    case VwProblem.importance:
      return `importance: ${quoted} is no number`;
    case VwProblem.tooMany:
      return `${quoted} stands before the first |, where label, importance and tag are expected; initial predictions are not read`;
    case VwProblem.weight:
      return `${quoted}: the weight of a namespace is a number`;
    case VwProblem.value:
      return `${quoted} is no feature:value. Values are numbers; texts as values (feature:text) are not read`;
    case VwProblem.noName:
      return `${quoted} is a value without a feature's name`;
    default:
      return `is no line of Vowpal Wabbit: ${quoted}`;
  }
}
